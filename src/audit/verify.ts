/**
 * For auditors, as `baseload/verify`: the versions of the audit log whose proofs can be checked here, offline and by nothing but this
 * folder and base. There is no audit log yet, so there are none, and there is nothing else in this module.
 */
export const VERIFIABLE_VERSIONS: readonly number[] = [];
