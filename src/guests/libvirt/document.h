/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An XML document read with suspicion, and short words for walking it. No document type, hence no
 * entities; nothing is fetched; size and depth have limits. Any thread.
 */
#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct UsherDocument {
	xmlDoc *xml;
	const xmlNode *root;
	const xmlNode *devices; /* the root's first <devices>, NULL: none */
	size_t devices_end;     /* the byte behind it in the text */
} UsherDocument;

/* INVALID: "domain vm1: its definition is no XML: …". what: "its definition". */
UsherDocument *usher_document_read(
	const char *name, const char *what, const char *text, GError **error);
void usher_document_free(UsherDocument *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherDocument, usher_document_free)

/* An element of that name in no namespace. */
bool usher_xml_is(const xmlNode *node, const char *name);
/* The first such child; NULL when there is none, or no node. */
const xmlNode *usher_xml_child(const xmlNode *node, const char *name);
/* NULL when there is no such attribute, or no node. */
char *usher_xml_attribute(const xmlNode *node, const char *name);
bool usher_xml_has(const xmlNode *node, const char *name, const char *value);
/* "0x1f" or "31", as libvirt writes numbers; false when there is none up to max. */
bool usher_xml_number(const xmlNode *node, const char *name, uint32_t max, uint32_t *out_value);
