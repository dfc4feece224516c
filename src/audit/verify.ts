/**
 * For auditors, as `baseload/verify`: proofs that the audit log has a receipt, checked offline by nothing but this folder and base.
 * There is no audit log yet, so there is nothing to verify, and this module exports nothing until there is.
 */
