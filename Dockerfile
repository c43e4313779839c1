FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.page.json ./
COPY scripts ./scripts
COPY src ./src
COPY llms.txt README.md PROTOCOL.md SECURITY.md CONTRIBUTING.md CHANGELOG.md ./
COPY docs ./docs
RUN npm run build && node scripts/production.mjs

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
RUN mkdir data && chown node:node data && chmod 700 data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
EXPOSE 8765
VOLUME ["/app/data"]
# Bash asks by itself: the image has no curl, and a Node process for each check costs more than the service at rest.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${WEBSOCKET_PORT:-${PORT:-8765}} && printf 'GET /health/live HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
# Node is process 1 and drains on SIGTERM; give it WEBSOCKET_DRAIN_TIMEOUT and a little more before killing it.
STOPSIGNAL SIGTERM
# A crowd that comes back makes much garbage at once: a larger young generation spares it the copying.
CMD ["node", "--max-semi-space-size=64", "dist/main.js"]
