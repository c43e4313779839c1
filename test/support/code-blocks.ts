/** The fenced code blocks of the documents. */
import { readdirSync, readFileSync } from 'node:fs';

export interface CodeBlock {
  file: string;
  language: string;
  /** What the fence says after the language: how the block is executed. */
  mark: string;
  code: string;
}

/** Documents whose blocks have tests of their own. */
const TESTED_ELSEWHERE = new Set(['PROTOCOL.md', 'docs/client.md', 'docs/page.md', 'docs/nest-app.md']);

export function codeBlocks(): CodeBlock[] {
  const files = ['.', 'docs', 'docs/decisions'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => (folder === '.' ? name : `${folder}/${name}`)),
  );
  return files.filter((file) => !TESTED_ELSEWHERE.has(file)).flatMap(blocksOf);
}

function blocksOf(file: string): CodeBlock[] {
  const fences = readFileSync(file, 'utf8').matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, language = '', mark = '', code = '']) => ({ file, language, mark, code }));
}
