/* serve.h: `fairforge serve`, the HTTP service. The whole command is behind one function; see server.h for the tour. */
#ifndef FF_FRONT_SERVER_SERVE_H
#define FF_FRONT_SERVER_SERVE_H

/*
 * Runs the command: argv[0] is "serve". Parses its own flags, prints its own help; returns an exit status of the table in base/error.h.
 * Serves until SIGINT or SIGTERM, drains, and ends with status 0.
 */
int serve_main(int argc, char **argv);

#endif
