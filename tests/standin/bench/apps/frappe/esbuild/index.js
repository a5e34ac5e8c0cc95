// The bundler: `node esbuild --production --apps APP[,APP]` copies each `*.bundle.*` below an app's public files to
// `dist/<kind>/` under a name with a hash of its content, and writes these names into sites/assets/assets.json.
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const assets = path.resolve(__dirname, "../../../sites/assets");
const manifest = path.join(assets, "assets.json");
const apps = process.argv[process.argv.indexOf("--apps") + 1].split(",");
const names = fs.existsSync(manifest) ? JSON.parse(fs.readFileSync(manifest, "utf8")) : {};

for (const app of apps) {
  const files = path.join(assets, app);
  for (const folder of fs.readdirSync(files)) {
    const sources = fs.statSync(path.join(files, folder)).isDirectory() ? fs.readdirSync(path.join(files, folder)) : [];
    for (const source of sources.filter((name) => name.includes(".bundle."))) {
      const content = `/* ${app}, built in a layer */\n${fs.readFileSync(path.join(files, folder, source), "utf8")}`;
      const hash = crypto.createHash("sha256").update(content).digest("hex").slice(0, 8).toUpperCase();
      const { name, ext } = path.parse(source);
      const dist = path.join(files, "dist", ext.slice(1));
      fs.mkdirSync(dist, { recursive: true });
      fs.writeFileSync(path.join(dist, `${name}.${hash}${ext}`), content);
      names[source] = `/assets/${app}/dist/${ext.slice(1)}/${name}.${hash}${ext}`;
    }
  }
}
fs.writeFileSync(manifest, JSON.stringify(names, null, 1));
