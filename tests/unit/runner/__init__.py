"""Tests of the runner as a process: in a bench of fakes, with a fake MariaDB and, if one is installed, with a real
one."""
