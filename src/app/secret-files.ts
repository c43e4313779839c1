/** Secrets that stand in files, as Docker and Kubernetes mount them: `X_FILE` names the file that holds the setting `X`. */
import { readFileSync } from 'node:fs';
import { ConfigurationError } from '../notification/index.js';

/**
 * @returns the environment with every setting of `names` that a file gives, without the line breaks at its end
 * @throws ConfigurationError when a setting is given twice, or its file cannot be read or is empty
 */
export function withSecretFiles(environment: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  const complete = { ...environment };
  for (const name of names) {
    const path = environment[`${name}_FILE`] ?? '';
    if (path === '') continue;
    if ((environment[name] ?? '') !== '')
      throw new ConfigurationError(`${name} and ${name}_FILE are both set, but only one may be`);
    complete[name] = contentsOf(path, `${name}_FILE`);
  }
  return complete;
}

function contentsOf(path: string, setting: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigurationError(`${setting} is ${JSON.stringify(path)}, but that cannot be read (${code ?? String(error)})`);
  }
  // Taken for a secret that is not set, it would leave open what is meant to be closed.
  if (text.trim() === '') throw new ConfigurationError(`${setting} is ${JSON.stringify(path)}, but that file is empty`);
  return text;
}
