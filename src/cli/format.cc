#include "cli/format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "cli/json_text.h"

namespace nightjar::cli {
namespace {

void append_hex(std::string_view bytes, bool upper, std::string& out) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
}

void append_iso_time(std::int64_t wall_ms, std::string& out) {
  const std::tm utc = fmt::gmtime(static_cast<std::time_t>(wall_ms / 1000));
  fmt::format_to(std::back_inserter(out), "{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, wall_ms % 1000);
}

void append_number(std::uint64_t number, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}", number);
}

void append_user_properties(const MessageProperties& properties, std::string& out) {
  bool is_first = true;
  for (const NamedValue& user : properties.user_properties) {
    if (!is_first) out += ' ';
    is_first = false;
    out.append(user.name).append(":").append(user.value);
  }
}

void append_subscription_ids(const ReceivedMessage& message, std::string& out) {
  bool is_first = true;
  for (const std::uint32_t id : message.subscription_ids) {
    if (!is_first) out += ' ';
    is_first = false;
    append_number(id, out);
  }
}

// One function for one letter; format_help() lists the same.
void append_conversion(char conversion, const ReceivedMessage& message, std::int64_t wall_ms,
                       std::string& out) {
  const MessageProperties& properties = message.properties;
  switch (conversion) {
    case 't':
      out += message.topic;
      break;
    case 'p':
      out += message.payload;
      break;
    case 'x':
      append_hex(message.payload, false, out);
      break;
    case 'X':
      append_hex(message.payload, true, out);
      break;
    case 'l':
      append_number(message.payload.size(), out);
      break;
    case 'q':
      append_number(static_cast<std::uint64_t>(message.qos), out);
      break;
    case 'r':
      out += message.retain ? '1' : '0';
      break;
    case 'd':
      out += message.dup ? '1' : '0';
      break;
    case 'm':
      append_number(message.packet_id, out);
      break;
    case 'U':
      fmt::format_to(std::back_inserter(out), "{}.{:03}", wall_ms / 1000, wall_ms % 1000);
      break;
    case 'I':
      append_iso_time(wall_ms, out);
      break;
    case 'j':
      render_json(message, wall_ms, out);
      break;
    case 'A':
      if (message.topic_alias != 0) append_number(message.topic_alias, out);
      break;
    case 'C':
      out += properties.content_type.value_or("");
      break;
    case 'D':
      out += properties.correlation_data.value_or("");
      break;
    case 'E':
      if (properties.message_expiry_s) append_number(*properties.message_expiry_s, out);
      break;
    case 'F':
      if (properties.payload_format) append_number(*properties.payload_format, out);
      break;
    case 'P':
      append_user_properties(properties, out);
      break;
    case 'R':
      out += properties.response_topic.value_or("");
      break;
    case 'S':
      append_subscription_ids(message, out);
      break;
    default:
      break;
  }
}

constexpr std::string_view kConversions = "tpxXlqrdmUIjACDEFPRS";

// The character that `\c` stands for, or an error.
Result<char> unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '0':
      return '\0';
    case 'e':
      return '\x1b';
    case '\\':
      return '\\';
    default:
      return fail(
          fmt::format("unknown escape \"\\{}\" in the format; known are \\n \\t \\r \\0 \\e \\\\", c));
  }
}

void append_json_properties(const ReceivedMessage& message, std::string& out) {
  const MessageProperties& properties = message.properties;
  JsonObject object{out};
  if (properties.payload_format) object.number("payload_format", *properties.payload_format);
  if (properties.message_expiry_s) object.number("message_expiry", *properties.message_expiry_s);
  if (properties.content_type) object.text("content_type", *properties.content_type);
  if (properties.response_topic) object.text("response_topic", *properties.response_topic);
  if (properties.correlation_data) object.bytes("correlation_data", *properties.correlation_data);
  if (message.topic_alias != 0) object.number("topic_alias", message.topic_alias);
  if (!message.subscription_ids.empty()) {
    object.key("subscription_ids");
    out += fmt::format("[{}]", fmt::join(message.subscription_ids, ","));
  }
  if (properties.user_properties.empty()) return;
  object.key("user_properties");
  out += '[';
  for (const NamedValue& user : properties.user_properties) {
    if (out.back() != '[') out += ',';
    JsonObject pair{out};
    pair.text("name", user.name);
    pair.text("value", user.value);
  }
  out += ']';
}

}  // namespace

Format::Format() : pieces_{{'p', {}}} {}

Result<Format> Format::parse(std::string_view text) {
  Format format;
  format.pieces_.clear();
  std::string literal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '%' && c != '\\') {
      literal += c;
      continue;
    }
    if (++i == text.size()) return fail(fmt::format("the format ends with a lone \"{}\"", c));
    if (c == '\\') {
      NJ_TRY(const char escaped, unescape(text[i]));
      literal += escaped;
    } else if (text[i] == '%') {
      literal += '%';
    } else if (kConversions.find(text[i]) != std::string_view::npos) {
      if (!literal.empty()) format.pieces_.push_back({0, std::exchange(literal, {})});
      format.pieces_.push_back({text[i], {}});
    } else {
      return fail(
          fmt::format("unknown conversion \"%{}\" in the format; --help lists the known ones", text[i]));
    }
  }
  if (!literal.empty()) format.pieces_.push_back({0, std::move(literal)});
  return format;
}

void Format::render(const ReceivedMessage& message, std::int64_t wall_ms, std::string& out) const {
  for (const Piece& piece : pieces_) {
    if (piece.conversion == 0) {
      out += piece.literal;
    } else {
      append_conversion(piece.conversion, message, wall_ms, out);
    }
  }
}

std::string_view format_help() {
  return "Format (-F), default %p:\n"
         "  %t topic         %p payload        %x payload as hex   %X the same in capitals\n"
         "  %l length        %q QoS            %r retain flag      %d duplicate flag\n"
         "  %m packet id     %U Unix time      %I ISO 8601 time    %j whole message as JSON\n"
         "  %C content type  %R response topic %D correlation data %E message expiry\n"
         "  %F payload format  %P user properties  %S subscription ids  %A topic alias\n"
         "  %% a percent sign, and the escapes \\n \\t \\r \\0 \\e \\\\\n";
}

void render_json(const ReceivedMessage& message, std::int64_t wall_ms, std::string& out) {
  JsonObject object{out};
  std::string time;
  append_iso_time(wall_ms, time);
  object.text("time", time);
  object.text("topic", message.topic);
  object.number("qos", static_cast<std::uint64_t>(message.qos));
  object.boolean("retain", message.retain);
  object.boolean("dup", message.dup);
  if (message.packet_id != 0) object.number("packet_id", message.packet_id);
  object.number("length", message.payload.size());
  object.bytes("payload", message.payload);
  if (message.properties.empty() && message.subscription_ids.empty() && message.topic_alias == 0) return;
  object.key("properties");
  append_json_properties(message, out);
}

}  // namespace nightjar::cli
