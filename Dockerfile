# syntax=docker/dockerfile:1
# The image that stands in for envoyproxy/ratelimit: /bin/ratelimit starts weir, as uid 65534, on a root that may be
# read-only, without a shell.

FROM node:24-bookworm-slim AS build
WORKDIR /weir
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY tsconfig.json ./
COPY src src
RUN npm run --silent build
# What only a compiler or a reader of sources wants stays behind.
RUN npm ci --omit=dev --ignore-scripts --no-audit && \
    find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.md' \) -delete

FROM gcr.io/distroless/nodejs24-debian12:nonroot
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /weir
COPY --from=build /weir/package.json ./
COPY --from=build /weir/node_modules node_modules
COPY --from=build /weir/dist dist
COPY proto proto
COPY --chmod=0755 deploy/image/ratelimit /bin/ratelimit
USER 65534:65534
EXPOSE 8080 8081 6070
HEALTHCHECK --interval=10s --timeout=2s --start-period=30s CMD ["/bin/ratelimit", "health"]
ENTRYPOINT ["/bin/ratelimit"]
