/** Signs the tokens of the service in secure mode, which listens on loopback and ends with the measurement. */
export const SECRET = 'a secret of the bench alone, 32 bytes or more';
