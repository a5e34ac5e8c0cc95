console.log("stand-in: hrms");
