/* groq.h: ChatGroq's row in the registry. */
#ifndef FF_CONNECTOR_GROQ_H
#define FF_CONNECTOR_GROQ_H

#include "connector/connector.h"

extern const struct connector_class groq_class;

#endif
