document.addEventListener("DOMContentLoaded", () => console.log("stand-in: login"));
