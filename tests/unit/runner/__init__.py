"""The runner, run as the program it is: in a bench of fakes, against a fake MariaDB and, where there is one, a real."""
