import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./fake-io.ts";

const ok = '{"server":true,"bootstrap":true,"data_dir":"x","node_name":"v"}';

interface Row {
  files: Record<string, string>;
  line: string;
  code?: number;
  out?: string;
  err: RegExp;
}
const rows: Record<string, Row> = {
  "a good file": {
    files: { "ok.json": ok },
    line: "validate ok.json",
    out: "Configuration is valid!\n",
    err: /^bootstrap = true: do not enable unless necessary\n$/,
  },
  "-quiet with a good file": { files: { "ok.json": ok }, line: "validate -quiet ok.json", out: "", err: /^$/ },
  "a good HCL file": {
    files: { "ok.hcl": 'server = true\nbootstrap = true\ndata_dir = "x"\nnode_name = "v"\n' },
    line: "validate ok.hcl",
    out: "Configuration is valid!\n",
    err: /bootstrap/,
  },
  "a directory whose files say it together": {
    files: {
      "d/a.json": '{"data_dir":"x","node_name":"v"}',
      "d/b.hcl": 'log_level = "debug"',
      "d/readme.txt": "{",
      "d/sub/c.json": "{",
    },
    line: "validate d",
    out: "Configuration is valid!\n",
    err: /skipping file d\/readme.txt/,
  },
  "a format that is given": {
    files: { c: ok },
    line: "validate -config-format=json c",
    out: "Configuration is valid!\n",
    err: /bootstrap/,
  },
  "an unknown key": {
    files: { "u.json": '{"servr":true}' },
    line: "validate u.json",
    code: 1,
    err: /^Config validation failed: .*u.json.*servr/,
  },
  "broken JSON": {
    files: { "b.json": "{" },
    line: "validate b.json",
    code: 1,
    err: /^Config validation failed: failed to parse b.json/,
  },
  "a wrong type": {
    files: { "t.json": '{"server":"maybe","data_dir":"x"}' },
    line: "validate t.json",
    code: 1,
    err: /'server' expected/,
  },
  "no data_dir": {
    files: { "n.json": '{"server":true}' },
    line: "validate n.json",
    code: 1,
    err: /data_dir cannot be empty/,
  },
  "a file that is not there": { files: {}, line: "validate absent.json", code: 1, err: /no such file or directory/ },
  "a bad format": { files: {}, line: "validate -config-format=yaml x", code: 1, err: /must be either 'hcl' or 'json'/ },
  "no file": { files: {}, line: "validate", code: 1, err: /Must specify at least one/ },
};

for (const [name, row] of Object.entries(rows))
  test(`validate of ${name}`, async () => {
    const { code, out, err } = await run(row.line, {}, (io) => {
      for (const [path, text] of Object.entries(row.files)) io.files.set(path, new TextEncoder().encode(text));
    });
    assert.equal(code, row.code ?? 0, err);
    assert.equal(out, row.out ?? "");
    assert.match(err, row.err);
  });
