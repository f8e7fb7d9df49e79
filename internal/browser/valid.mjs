// Reads {name: html} from standard input, and writes [{name, line, column, rule, message}].
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [parts, rules] = process.argv.slice(2);
const { HtmlValidate, StaticConfigLoader } = createRequire(parts + "/x.js")("html-validate");
const pages = JSON.parse(readFileSync(0, "utf8"));
const checker = new HtmlValidate(new StaticConfigLoader(JSON.parse(rules)));
const out = [];
for (const [name, html] of Object.entries(pages)) {
	const report = await checker.validateString(html, name);
	for (const result of report.results) {
		for (const m of result.messages) out.push({ name, line: m.line, column: m.column, rule: m.ruleId, message: m.message });
	}
}
process.stdout.write(JSON.stringify(out));
