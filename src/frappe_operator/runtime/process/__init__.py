"""The operator as a process: engine, leader election, health, metrics, logs."""
