// Clients of realtime, as Frappe's desk connects: one after the other, each through the load balancer over HTTPS.
// Run in a pod of a site with `node -e`, with one argument: {address, ca, site, sid, clients: [{host, transports}]}.
// Prints a line of JSON for everything that happens to a client.

const https = require("https");
const { io } = require("/home/frappe/frappe-bench/apps/frappe/node_modules/socket.io-client");

const { address, ca, site, sid, clients } = JSON.parse(process.argv[1]);
const lookup = (_, options, found) =>
	options.all ? found(null, [{ address, family: 4 }]) : found(null, address, 4);

const connected = (number, { host, transports }) =>
	new Promise((done) => {
		const agent = new https.Agent({ keepAlive: true, ca, lookup, servername: host });
		// Only headers: a client for Node keeps no cookies that it is given.
		const extraHeaders = { Cookie: `sid=${sid}`, Origin: `https://${host}` };
		const socket = io(`https://${host}/${site}`, { agent, extraHeaders, ...(transports && { transports }) });
		const say = (what, more) => {
			const { id, transport } = socket.io.engine;
			console.log(JSON.stringify({ number, what, sid: id, transport: transport.name, ...more }));
		};
		socket.on("connect", () => {
			say("connect");
			// Frappe's realtime server answers this once the client is in its rooms.
			socket.emit("ping");
		});
		socket.on("pong", () => {
			say("joined");
			done();
		});
		socket.on("disconnect", (reason) => say("disconnect", { reason }));
		socket.on("connect_error", (error) => say("error", { reason: String(error) }));
		socket.on("news", (message) => say("news", { message }));
		socket.io.engine.on("upgrade", () => say("upgrade"));
	});

(async () => {
	for (const [number, client] of clients.entries()) await connected(number, client);
})();
// Ends with the one who started it.
process.stdin.resume().on("end", () => process.exit());
