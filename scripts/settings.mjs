/** Writes `.env.example`, and the tables of `docs/settings.md`, from the table in `src/app/settings`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { envExample, settingTables } from '../dist/app/settings/documents.js';

const PAGE = 'docs/settings.md';
const MARK = '<!-- From here on this page is made by `npm run docs:settings`. -->';

writeFileSync('.env.example', envExample());
const [head] = readFileSync(PAGE, 'utf8').split(MARK);
writeFileSync(PAGE, `${head}${MARK}\n\n${settingTables()}\n`);
