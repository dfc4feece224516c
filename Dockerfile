# Baseload in a container: non-root, root file system read-only (docker run --read-only), state in /data only. This file was never
# built where Baseload is developed; docs/install.md says what was tried in its place.
#   docker build -t baseload .
#   docker run --read-only -v baseload-data:/data -v ./baseload.yaml:/etc/baseload/baseload.yaml:ro \
#     -e SEARCH_TEAM_KEY -p 8080:8080 baseload
# The configuration must set server.host to 0.0.0.0 and give a tenant a key: without keys only loopback is served.
FROM debian:12-slim AS dependencies
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM debian:12-slim
# llama.cpp's OpenMP runtime; everything else, Node 26 included, comes with the npm packages.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 ca-certificates && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 baseload && mkdir /data && chown baseload /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json README.md ./
COPY bin ./bin
COPY data ./data
COPY src ./src
# By number, so that orchestrators can see that it is not root.
USER 10001
VOLUME /data
EXPOSE 8080
# Another port, or HTTPS, takes another check: docker run --health-cmd.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["/app/node_modules/.bin/node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/app/node_modules/.bin/node", "--max-semi-space-size=8", "/app/bin/baseload.mjs"]
CMD ["serve", "/etc/baseload/baseload.yaml", "--data-dir", "/data"]
