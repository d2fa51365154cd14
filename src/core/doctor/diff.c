/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/diff.h"

#include <stdbool.h>
#include <string.h>

#define CONTEXT 3U

typedef struct Line {
	const char *text;
	size_t length; /* with its newline */
} Line;

typedef struct Op {
	char sign; /* ' ', '-', '+' */
	Line line;
} Op;

static GArray *split_lines(const char *text)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(Line));
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, "\n");
		length += text[length] == '\n' ? 1 : 0;
		Line line = { text, length };
		g_array_append_val(lines, line);
		text += length;
	}
	return lines;
}

static bool is_same(const GArray *one, int i, const GArray *other, int n)
{
	const Line *a = &g_array_index(one, Line, i), *b = &g_array_index(other, Line, n);
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* How far each diagonal k = x − y was reached with d changes: E. Myers, "An O(ND) Difference
 * Algorithm and Its Variations", 1986. Row d has the diagonals −d … d. */

static int reach(const GPtrArray *rows, int d, int k)
{
	return d < 0 || k < -d || k > d ? -1 : ((const int *) rows->pdata[d])[k + d];
}

/* The way to diagonal k with d changes ends with a line that is new, not with one that has gone. */
static bool is_by_addition(const GPtrArray *rows, int d, int k)
{
	return k == -d || (k != d && reach(rows, d - 1, k - 1) < reach(rows, d - 1, k + 1));
}

/* With one change more than d − 1, before what is the same is passed over. */
static int step(const GPtrArray *rows, int d, int k)
{
	if (d == 0)
		return 0;
	return is_by_addition(rows, d, k) ? reach(rows, d - 1, k + 1)
					  : reach(rows, d - 1, k - 1) + 1;
}

static GPtrArray *trace(const GArray *was, const GArray *is)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
	int n_was = (int) was->len, n_is = (int) is->len;
	for (int d = 0;; d++) {
		int *row = g_new0(int, (size_t) d * 2 + 1);
		g_ptr_array_add(rows, row);
		for (int k = -d; k <= d; k += 2) {
			int x = step(rows, d, k), y = x - k;
			while (x < n_was && y < n_is && is_same(was, x, is, y)) {
				x++;
				y++;
			}
			row[k + d] = x;
			if (x >= n_was && y >= n_is)
				return rows;
		}
	}
}

/* Backwards along the trace. */
static GArray *find_ops(const GArray *was, const GArray *is)
{
	g_autoptr(GPtrArray) rows = trace(was, is);
	GArray *ops = g_array_new(FALSE, FALSE, sizeof(Op));
	int x = (int) was->len, y = (int) is->len;
	for (int d = (int) rows->len - 1; d >= 0; d--) {
		int k = x - y, begin = step(rows, d, k);
		while (x > begin) {
			x--;
			y--;
			Op op = { ' ', g_array_index(was, Line, x) };
			g_array_prepend_val(ops, op);
		}
		if (d == 0)
			break;
		bool is_added = is_by_addition(rows, d, k);
		Op op = { is_added ? '+' : '-', { NULL, 0 } };
		if (is_added)
			op.line = g_array_index(is, Line, --y);
		else
			op.line = g_array_index(was, Line, --x);
		g_array_prepend_val(ops, op);
	}
	return ops;
}

/* Past the hunk that begins at begin: where more than twice the context follows unchanged. */
static unsigned find_hunk_end(const GArray *ops, unsigned begin)
{
	unsigned end = begin, n_same = 0;
	for (unsigned i = begin; i < ops->len && n_same <= 2 * CONTEXT; i++) {
		n_same = g_array_index(ops, Op, i).sign == ' ' ? n_same + 1 : 0;
		if (n_same == 0)
			end = i + 1;
	}
	return MIN(end + CONTEXT, ops->len);
}

static void print_range(GString *text, unsigned first, unsigned n)
{
	g_string_append_printf(text, "%u", n > 0 ? first + 1 : first);
	if (n != 1)
		g_string_append_printf(text, ",%u", n);
}

static void print_hunk(
	GString *text, const GArray *ops, unsigned begin, unsigned end, const unsigned *first)
{
	unsigned n_was = 0, n_is = 0;
	for (unsigned i = begin; i < end; i++) {
		n_was += g_array_index(ops, Op, i).sign != '+' ? 1 : 0;
		n_is += g_array_index(ops, Op, i).sign != '-' ? 1 : 0;
	}
	g_string_append(text, "@@ -");
	print_range(text, first[0], n_was);
	g_string_append(text, " +");
	print_range(text, first[1], n_is);
	g_string_append(text, " @@\n");
	for (unsigned i = begin; i < end; i++) {
		const Op *op = &g_array_index(ops, Op, i);
		g_string_append_c(text, op->sign);
		g_string_append_len(text, op->line.text, (gssize) op->line.length);
		if (op->line.text[op->line.length - 1] != '\n')
			g_string_append(text, "\n\\ No newline at end of file\n");
	}
}

char *usher_diff_print(const char *path, const char *was, const char *is)
{
	GString *text = g_string_new(NULL);
	if (g_strcmp0(was, is) == 0)
		return g_string_free(text, FALSE);
	g_autoptr(GArray) old_lines = split_lines(was);
	g_autoptr(GArray) new_lines = split_lines(is);
	g_autoptr(GArray) ops = find_ops(old_lines, new_lines);
	g_string_append_printf(
		text, "--- %s%s\n", was != NULL ? "/" : "", was != NULL ? path : "/dev/null");
	g_string_append_printf(
		text, "+++ %s%s\n", is != NULL ? "/" : "", is != NULL ? path : "/dev/null");
	unsigned first[2] = { 0, 0 }, done = 0;
	for (unsigned i = 0; i < ops->len; i++) {
		if (g_array_index(ops, Op, i).sign == ' ')
			continue;
		unsigned begin = i > done + CONTEXT ? i - CONTEXT : done;
		unsigned end = find_hunk_end(ops, i);
		first[0] += begin - done;
		first[1] += begin - done;
		print_hunk(text, ops, begin, end, first);
		for (unsigned n = begin; n < end; n++) {
			first[0] += g_array_index(ops, Op, n).sign != '+' ? 1 : 0;
			first[1] += g_array_index(ops, Op, n).sign != '-' ? 1 : 0;
		}
		done = end;
		i = end - 1;
	}
	return g_string_free(text, FALSE);
}
