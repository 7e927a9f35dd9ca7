/*
 * seeds_main.c: runs a fuzz target over every file of its seed folder, without libFuzzer, so that the seeds are a test in every build.
 * An empty or missing folder is a failure: a target without seeds proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	static uint8_t data[1 << 20];
	size_t size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s SEED_FOLDER\n", argv[0]);
		return 2;
	}
	DIR *dir = opendir(argv[1]);
	if (!dir) {
		perror(argv[1]);
		return 1;
	}
	int files = 0, failures = 0;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		files++;
		failures += run_file(argv[1], entry->d_name) != 0;
	}
	closedir(dir);
	printf("%d seeds, %d unreadable\n", files, failures);
	return files == 0 || failures ? 1 : 0;
}
