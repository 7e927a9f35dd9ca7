/* fault_worker.c: the worker of test_worker_run.c: answers turns or whole datasets, ids found by their place in the line. Usage: fault_worker turn|dataset */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(const char *id)
{
	printf("{\"id\":%lu,\"answer\":\"A\",\"model\":\"m\",\"usage\":{\"input_tokens\":1},\"batch\":{\"observation\":\"o\"}}\n",
	       strtoul(id, NULL, 10));
}

static void answer_dataset(const char *line)
{
	static const char number[] = "\"dataset\":", batch[] = "{\"id\":";
	const char *at = strstr(line, number);

	for (const char *id = line; (id = strstr(id, batch)); id += sizeof(batch) - 1)
		answer(id + sizeof(batch) - 1);
	printf("{\"type\":\"dataset_end\",\"dataset\":%lu}\n", at ? strtoul(at + sizeof(number) - 1, NULL, 10) : 0);
}

int main(int argc, char **argv)
{
	static char line[1 << 16];
	static const char turn[] = "{\"type\":\"turn\",\"id\":";

	if (argc < 2)
		return 64;
	while (fgets(line, sizeof(line), stdin)) {
		if (strstr(line, "\"type\":\"hello\""))
			printf("{\"type\":\"welcome\",\"protocol\":1,\"name\":\"fault\",\"concurrency\":2,\"cancel\":true,"
			       "\"ordered\":true,"
			       "\"session\":\"sticky\",\"unit\":\"%s\"}\n",
			       argv[1]);
		else if (!strncmp(line, turn, sizeof(turn) - 1))
			answer(line + sizeof(turn) - 1);
		else if (strstr(line, "\"type\":\"dataset\""))
			answer_dataset(line);
		fflush(stdout);
	}
	return 0;
}
