console.log("stand-in: erpnext");
