// Who may connect: the namespace must be the site's, the page must be of the asked host, the site must know the session.

const cookie = require("cookie");

module.exports = (conf) => async (socket, next) => {
	const headers = socket.request.headers;
	const namespace = socket.nsp.name.slice(1);
	if (namespace !== site_name(headers, conf)) return next(new Error("Invalid namespace"));
	if (hostname(headers.host) !== hostname(headers.origin)) return next(new Error("Invalid origin"));

	const { sid } = cookie.parse(headers.cookie || "");
	if (!sid && !headers.authorization) {
		return next(new Error("No authentication method used. Use cookie or authorization header."));
	}
	try {
		const { user, user_type } = await ask_the_site(headers, sid);
		socket.user = user;
		socket.user_type = user_type;
		socket.sid = sid;
		next();
	} catch (error) {
		next(new Error(`Unauthorized: ${error.cause?.message || error.message}`));
	}
};

// Over HTTP, to where the page says it comes from: whoever is in front of this process decides what that means.
async function ask_the_site(headers, sid) {
	const url = new URL("/api/method/frappe.realtime.get_user_info", headers.origin);
	if (sid) url.searchParams.set("sid", sid);
	const answer = await fetch(url, { headers: sid ? {} : { Authorization: headers.authorization } });
	if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
	return (await answer.json()).message;
}

function site_name(headers, conf) {
	if (headers["x-frappe-site-name"]) return hostname(headers["x-frappe-site-name"]);
	if (conf.default_site && ["localhost", "127.0.0.1"].includes(hostname(headers.host))) return conf.default_site;
	return hostname(headers.origin || headers.host);
}

function hostname(url) {
	if (!url) return undefined;
	return (url.includes("://") ? url.split("/")[2] : url).split(":")[0];
}
