/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/document.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "guests/libvirt/xml.h"

#define PROBLEM_MAX 200 /* what is quoted of a parser's complaint, which quotes the document */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

typedef struct Reading {
	UsherDocument *document;
	bool has_doctype;
} Reading;

bool usher_xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns == NULL &&
		strcmp((const char *) node->name, name) == 0;
}

const xmlNode *usher_xml_child(const xmlNode *node, const char *name)
{
	for (const xmlNode *child = node != NULL ? node->children : NULL; child != NULL;
		child = child->next) {
		if (usher_xml_is(child, name))
			return child;
	}
	return NULL;
}

char *usher_xml_attribute(const xmlNode *node, const char *name)
{
	xmlChar *value = node != NULL ? xmlGetNoNsProp(node, (const xmlChar *) name) : NULL;
	char *copy = g_strdup((const char *) value);
	xmlFree(value);
	return copy;
}

bool usher_xml_has(const xmlNode *node, const char *name, const char *value)
{
	g_autofree char *text = usher_xml_attribute(node, name);
	return g_strcmp0(text, value) == 0;
}

bool usher_xml_number(const xmlNode *node, const char *name, uint32_t max, uint32_t *out_value)
{
	g_autofree char *text = usher_xml_attribute(node, name);
	if (text == NULL)
		return false;
	uint64_t value;
	bool is_number = g_str_has_prefix(text, "0x")
		? usher_text_parse_hex(text, max, &value, NULL)
		: usher_text_parse_u64(text, max, &value, NULL);
	if (is_number)
		*out_value = (uint32_t) value;
	return is_number;
}

/* A document type is the door to entities and to files: the first sight of one ends the reading. */
static void on_doctype(void *data, const xmlChar *name G_GNUC_UNUSED,
	const xmlChar *public_id G_GNUC_UNUSED, const xmlChar *system_id G_GNUC_UNUSED)
{
	xmlParserCtxt *parser = data;
	((Reading *) parser->_private)->has_doctype = true;
	xmlStopParser(parser);
}

static void on_element_end(
	void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	xmlParserCtxt *parser = data;
	UsherDocument *document = ((Reading *) parser->_private)->document;
	const xmlNode *node = parser->node;
	if (document->devices == NULL && node != NULL && usher_xml_is(node, "devices") &&
		node->parent == xmlDocGetRootElement(parser->myDoc)) {
		document->devices = node;
		document->devices_end = (size_t) MAX(xmlByteConsumed(parser), 0);
	}
	xmlSAX2EndElementNs(data, name, prefix, uri);
}

static void set_problem(GError **error, const char *name, const char *what, xmlParserCtxt *parser)
{
	const xmlError *problem = xmlCtxtGetLastError(parser);
	const char *message = problem != NULL && problem->message != NULL ? problem->message
									  : "it ends too early";
	g_autofree char *start = g_strndup(message, PROBLEM_MAX);
	g_autofree char *valid = g_utf8_make_valid(start, -1);
	g_strdelimit(valid, "\n", ' ');
	usher_error_set(error, USHER_ERROR_INVALID, "domain %s: %s is no XML: line %d: %s", name,
		what, problem != NULL ? problem->line : 0, g_strchomp(valid));
}

static bool is_utf8(const xmlDoc *xml)
{
	return xml->encoding == NULL ||
		g_ascii_strcasecmp((const char *) xml->encoding, "UTF-8") == 0;
}

static bool parse(
	xmlParserCtxt *parser, Reading *reading, const char *name, const char *what, GError **error)
{
	parser->_private = reading;
	parser->sax->internalSubset = on_doctype;
	parser->sax->endElementNs = on_element_end;
	xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	(void) xmlParseDocument(parser);
	reading->document->xml = g_steal_pointer(&parser->myDoc);
	if (reading->has_doctype) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"domain %s: %s has a document type, which is not read", name, what);
		return false;
	}
	if (!parser->wellFormed || reading->document->xml == NULL) {
		set_problem(error, name, what, parser);
		return false;
	}
	if (!is_utf8(reading->document->xml)) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "domain %s: %s is not in UTF-8", name, what);
		return false;
	}
	return true;
}

UsherDocument *usher_document_read(
	const char *name, const char *what, const char *text, GError **error)
{
	size_t length = strlen(text);
	if (length > USHER_DOMAIN_XML_MAX) {
		usher_error_set(error, USHER_ERROR_INVALID, "domain %s: %s is larger than 4 MiB",
			name, what);
		return NULL;
	}
	g_autoptr(xmlParserCtxt) parser = xmlCreateMemoryParserCtxt(text, (int) length);
	if (parser == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "domain %s: %s is empty", name, what);
		return NULL;
	}
	g_autoptr(UsherDocument) document = g_new0(UsherDocument, 1);
	Reading reading = { .document = document };
	if (!parse(parser, &reading, name, what, error))
		return NULL;
	document->root = xmlDocGetRootElement(document->xml);
	g_assert(document->root != NULL);
	return g_steal_pointer(&document);
}

void usher_document_free(UsherDocument *document)
{
	if (document == NULL)
		return;
	xmlFreeDoc(document->xml);
	g_free(document);
}
