/** Jest's global set-up: compiles what is newer than the last build, so that `npx jest path` works in a fresh checkout. */
import { setUp } from './setup.mjs';

export default () => setUp('tests');
