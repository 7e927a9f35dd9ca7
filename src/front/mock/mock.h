/* mock.h: `fairforge mock`, a simulator of five protocols on one port. The whole command is behind one function; see server.h for the tour. */
#ifndef FF_FRONT_MOCK_MOCK_H
#define FF_FRONT_MOCK_MOCK_H

/* Runs the command: argv[0] is "mock". Parses its own flags, prints its own help; returns an exit status of the table in base/error.h.
 * Serves until SIGINT or SIGTERM, which end it with status 0. */
int mock_main(int argc, char **argv);

#endif
