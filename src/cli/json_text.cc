#include "cli/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iterator>

#include "mqtt/utf8.h"

namespace nightjar::cli {
namespace {

void append_base64(std::string_view bytes, std::string& out) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t taken = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8U) | (k < taken ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= taken ? kDigits[(group >> (18U - 6U * k)) & 63U] : '=';
    }
  }
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += boost::json::serialize(boost::json::string_view(text));
}

void JsonMembers::key(std::string_view name) {
  if (!is_first_) out_ += ',';
  is_first_ = false;
  append_json_string(name, out_);
  out_ += ':';
}

void JsonMembers::text(std::string_view name, std::string_view value) {
  key(name);
  append_json_string(value, out_);
}

void JsonMembers::number(std::string_view name, std::uint64_t value) {
  key(name);
  fmt::format_to(std::back_inserter(out_), "{}", value);
}

void JsonMembers::boolean(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
}

void JsonMembers::bytes(std::string_view name, std::string_view value) {
  // is_valid_utf8 refuses U+0000 as MQTT does; such a payload is bytes for most readers of JSON, too.
  if (mqtt::is_valid_utf8(value)) return text(name, value);
  key(std::string{name} + "_base64");
  out_ += '"';
  append_base64(value, out_);
  out_ += '"';
}

}  // namespace nightjar::cli
