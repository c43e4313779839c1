/** Runs the conformance suite against the driver that the command line names, and ends with 1 if it finds anything. */
import { check, CLAIMS } from './claims.js';
import { Driver } from './driver.js';

const driver = new Driver(process.argv.slice(2), {}, 15_000);
const problems = await check(driver);
await driver.stop();
for (const name of Object.keys(CLAIMS))
  console.log(problems[name] === undefined ? `ok    ${name}` : `WRONG ${name}: ${problems[name]}`);
process.exitCode = Object.keys(problems).length === 0 ? 0 : 1;
