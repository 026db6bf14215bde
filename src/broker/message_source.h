// Who published a message, as Message::source() keeps it: user name, client id and listener with a NUL
// between them, which none of them holds [MQTT-1.5.4-2]. Pure.
#pragma once

#include <string>
#include <string_view>

#include "broker/ports.h"

namespace nightjar::broker {

void write_source(const ClientIdentity& who, std::string& out);
// Views into `source`.
ClientIdentity read_source(std::string_view source);

}  // namespace nightjar::broker
