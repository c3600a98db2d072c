"""Work that a job process does while a page or a command waits and watches."""
