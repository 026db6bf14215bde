// Writing AUTH packets. A function of the connection's worker.
#pragma once

#include <string_view>

#include "mqtt/reason_code.h"

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

void send_auth(WorkerState& worker, Connection& connection, mqtt::ReasonCode code, std::string_view data);

}  // namespace nightjar::broker::protocol
