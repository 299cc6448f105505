# The images of `npm run build:images`, for those who build with Docker:
#   docker build --target operator -t berth-operator .
#   docker build --target runtime  -t berth-runtime .
# The code and its pruned packages are the same files, written by the same program (build/images/tree.ts);
# BASE brings Node 24 and the C library. build/images/prove-dockerfile.sh compares the two.
ARG BASE=node:24-slim

# As the lock file says. Not `npm ci`: that refuses a lock file made where a registry has only some platforms' binaries of
# the development tools, which are left out here anyway. The Node of the optional dependencies is BASE's affair.
FROM ${BASE} AS packages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm install --omit=dev --omit=optional
# What makes one file of the operator, in the version that package.json names.
RUN npm install --prefix /bundler --ignore-scripts "esbuild@$(node -p 'require("./package.json").devDependencies.esbuild')"

FROM ${BASE} AS tree
WORKDIR /src
COPY package.json package-lock.json ./
COPY build/images build/images
COPY contract contract
COPY operator operator
COPY runtime runtime
COPY --from=packages /src/node_modules node_modules
COPY --from=packages /bundler/node_modules node_modules
RUN ["node", "build/images/tree.ts", "operator", "/out/operator"]
RUN ["node", "build/images/tree.ts", "runtime", "/out/runtime"]
RUN ["node", "build/images/locale.ts", "/out/locale"]

FROM ${BASE} AS app
ENV NODE_ENV=production \
    NODE_USE_SYSTEM_CA=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /app
USER 65532:65532
CMD []

FROM app AS operator
COPY --from=tree /out/operator/app /app
ENTRYPOINT ["/usr/local/bin/node", "/app/operator/main.js"]

FROM app AS runtime
COPY --from=tree /out/locale/ /
COPY --from=tree /out/runtime/app /app
ENTRYPOINT ["/usr/local/bin/node", "/app/runtime/main.js"]
