/** What is remembered of tokens, and what ends it. */
import { RememberedTokens, type VerifiedUser } from '../../src/notification/access/remembered-tokens.js';

describe('a remembered token', () => {
  it('is verified once, and again after its end, after a change of the keys, and while they are not up to date', async () => {
    const remembered = new RememberedTokens();
    let verified = 0;
    let expiresAt = Date.now() + 60_000;
    const check = (token: string): Promise<VerifiedUser | undefined> =>
      remembered.userOf(token, async () => {
        verified += 1;
        return token === 'bad' ? undefined : { userId: 'ann', expiresAt };
      });
    const times = async (token: string): Promise<number> => {
      const before = verified;
      await check(token);
      await check(token);
      return verified - before;
    };
    expect(await times('good')).toBe(1);
    expect(await times('good')).toBe(0);
    expect(await times('bad')).toBe(2);
    remembered.clear();
    expect(await times('good')).toBe(1);
    remembered.countsWhile(() => false);
    expect(await times('good')).toBe(2);
    remembered.countsWhile(() => true);
    expiresAt = Date.now() - 1;
    expect(await times('ended')).toBe(2);
  });

  it('is not kept if the keys have changed while it was verified', async () => {
    const remembered = new RememberedTokens();
    const verify = async (): Promise<VerifiedUser> => ({ userId: 'ann', expiresAt: Date.now() + 60_000 });
    await remembered.userOf('token', async () => {
      remembered.clear();
      return verify();
    });
    const user = await remembered.userOf('token', async () => undefined);
    expect(user).toBeUndefined();
  });
});
