import { CLOSE, ERROR_STATUS } from '../../src/protocol/codes.js';

describe('codes', () => {
  it('gives every close code a range that says whether to come back', () => {
    for (const { code } of Object.values(CLOSE)) expect(code).toBeGreaterThanOrEqual(1008);
    expect(CLOSE.SLOW.code).toBeLessThan(4500);
    expect(CLOSE.REPLACED.code).toBeGreaterThanOrEqual(4500);
  });

  it('maps every error code to an HTTP error status', () => {
    for (const status of Object.values(ERROR_STATUS)) expect(status).toBeGreaterThanOrEqual(400);
  });
});
