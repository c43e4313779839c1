/**
 * Copies `llms.txt` and the Markdown pages to where the service serves them: all in one folder, under `/docs/`, with the links
 * among them put right. Where there are no pages, as in an archive of the source alone, nothing is copied.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from './tools.mjs';

const FOLDERS = ['.', 'docs', 'docs/decisions'];

/** @param target an existing folder */
export function copyMarkdownPages(target) {
  if (!existsSync(join(ROOT, 'llms.txt'))) return;
  const pages = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(ROOT, folder, name)),
  );
  // A page that is gone leaves no copy.
  for (const name of readdirSync(target).filter((one) => one.endsWith('.md'))) rmSync(join(target, name));
  for (const page of pages) writeFileSync(join(target, basename(page)), linked(readFileSync(page, 'utf8'), ''));
  // This one is served at the root.
  writeFileSync(join(target, 'llms.txt'), linked(readFileSync(join(ROOT, 'llms.txt'), 'utf8'), 'docs/'));
}

/**
 * A link to a page, from wherever it was, to where the page is now. A link to another file, which is not served, becomes its text.
 * Code stays as it is.
 */
const linked = (text, folder) =>
  text
    .split(/(^```[\s\S]*?^```$)/m)
    .map((part) => (part.startsWith('```') ? part : linkedText(part, folder)))
    .join('');

const linkedText = (text, folder) =>
  text.replaceAll(/!?\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)/g, (_link, label, target) => {
    const page = /^(?:[\w.-]+\/)*([\w.-]+\.md)(#[\w-]+)?$/.exec(target);
    return page ? `[${label}](${folder}${page[1]}${page[2] ?? ''})` : label;
  });
