/* SPDX-License-Identifier: Apache-2.0 */
/* replay FOLDER: feeds a target with each file, and prints TAP. */
#include "fuzz.h"

#include <stdio.h>

static int compare_names(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

int main(int argc, char **argv)
{
	g_autoptr(GDir) folder = argc == 2 ? g_dir_open(argv[1], 0, NULL) : NULL;
	if (folder == NULL) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;
	while ((name = g_dir_read_name(folder)) != NULL)
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	printf("1..%u\n", names->len);
	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(argv[1], names->pdata[i], NULL);
		g_autofree char *data = NULL;
		size_t length;
		if (!g_file_get_contents(path, &data, &length, NULL)) {
			printf("not ok %u - %s\n", i + 1, (const char *) names->pdata[i]);
			continue;
		}
		/* Of its own size: what reads beyond it is found. */
		g_autofree uint8_t *exact = g_memdup2(data, length);
		(void) LLVMFuzzerTestOneInput(exact, length);
		printf("ok %u - %s\n", i + 1, (const char *) names->pdata[i]);
	}
	return names->len > 0 ? 0 : 1;
}
