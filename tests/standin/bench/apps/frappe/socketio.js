// The realtime server: browsers connect to the namespace of their site, events come from Redis.

const fs = require("fs");
const path = require("path");
const { createClient } = require("@redis/client");
const { Server } = require("socket.io");
const authenticate = require("./realtime/authenticate");

const bench = process.env.FRAPPE_BENCH_ROOT || path.resolve(__dirname, "..", "..");
const conf = configuration();

const io = new Server({ cors: { origin: true, credentials: true }, cleanupEmptyChildNamespaces: true });
const realtime = io.of(/^\/.*$/);
realtime.use(authenticate(conf));
realtime.on("connection", (socket) => {
	socket.join(`user:${socket.user}`);
	socket.join("website");
	if (socket.user_type === "System User") socket.join("all");
	socket.on("ping", () => socket.emit("pong"));
});

(async () => {
	// Nobody listens for "error": when Redis goes, this process ends and is started again.
	const subscriber = createClient({ url: conf.redis_queue });
	await subscriber.connect();
	await subscriber.subscribe("events", (payload) => {
		const { event, message, room, namespace } = JSON.parse(payload);
		io.of(`/${namespace}`).to(room || "all").emit(event, message);
	});
	const port = conf.socketio_uds || conf.socketio_port;
	io.listen(port);
	console.log(`Realtime service listening on: ${port}`);
})();

// Read once: a changed file is seen by the next process.
function configuration() {
	const found = { socketio_port: 9000, redis_queue: "redis://localhost:11311" };
	for (const file of ["config.json", "sites/common_site_config.json"]) {
		const full = path.join(bench, file);
		if (fs.existsSync(full)) Object.assign(found, JSON.parse(fs.readFileSync(full)));
	}
	for (const [name, key] of [
		["FRAPPE_REDIS_CACHE", "redis_cache"],
		["FRAPPE_REDIS_QUEUE", "redis_queue"],
		["FRAPPE_SOCKETIO_PORT", "socketio_port"],
		["FRAPPE_SOCKETIO_UDS", "socketio_uds"],
	]) {
		if (process.env[name]) found[key] = process.env[name];
	}
	return found;
}
