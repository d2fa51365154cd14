/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Writes to one device: ADDRESS IDENTITY and a text. */
#include "commands.h"

bool usher_device_override(const UsherTree *tree, int argc, char **argv, GError **error);
bool usher_device_unbind(const UsherTree *tree, int argc, char **argv, GError **error);
bool usher_device_bind(const UsherTree *tree, int argc, char **argv, GError **error);
