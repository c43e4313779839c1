/** Made by the build: `scripts/frame-validators.mjs`. It exports functions of Ajv, named `client_<action>` and `server_<type>`. */
export {};
