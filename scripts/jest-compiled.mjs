/** Jest's transform: a test file stands for what the compiler emitted for it, and that is what runs. */
import { join, relative } from 'node:path';

export default {
  process: (_source, file, { config: { rootDir } }) => ({
    code: `import ${JSON.stringify(join(rootDir, '.build', relative(rootDir, file)).replace(/\.ts$/, '.js'))};`,
  }),
};
