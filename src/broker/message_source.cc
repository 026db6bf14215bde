#include "broker/message_source.h"

namespace nightjar::broker {

void write_source(const ClientIdentity& who, std::string& out) {
  out.assign(who.user_name);
  out += '\0';
  out += who.client_id;
  out += '\0';
  out += who.listener;
}

ClientIdentity read_source(std::string_view source) {
  const std::size_t first = source.find('\0');
  if (first == std::string_view::npos) return {};
  const std::size_t second = source.find('\0', first + 1);
  if (second == std::string_view::npos) return {};
  return {.client_id = source.substr(first + 1, second - first - 1),
          .user_name = source.substr(0, first),
          .listener = source.substr(second + 1)};
}

}  // namespace nightjar::broker
