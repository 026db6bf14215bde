// Which process holds a TCP port of this machine, so that "address in use" can name it.
// Reads /proc; slow and only for error messages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace nightjar::net {

// "process 4711 (mosquitto)", or, when /proc does not let us see it, what to run to find out.
std::string port_holder(std::uint16_t port, const std::filesystem::path& proc = "/proc");

}  // namespace nightjar::net
