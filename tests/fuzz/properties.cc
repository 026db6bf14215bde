// Property lists in every place. Input: the place, then the list with its length.
// The walk over an accepted list must agree with the parsed set, item by item.
#include "mqtt/properties.h"

#include "fuzz_input.h"
#include "mqtt/any_packet.h"
#include "mqtt/utf8.h"
#include "mqtt/varint.h"

using namespace nightjar;
using namespace nightjar::mqtt;
using nightjar::fuzz::require;

namespace {

constexpr unsigned kContextCount = static_cast<unsigned>(PropertyContext::kWill) + 1;

void check_walk(const Properties& properties) {
  Properties seen;
  std::size_t walked = 0;
  PropertyItem item;
  for (PropertyWalk walk{properties.raw}; walk.next(item);) {
    require(properties.has(item.id), "the set has what the walk finds");
    seen.mark(item.id);
    walked += item.encoded.size();
    const bool is_binary =
        item.id == PropertyId::kCorrelationData || item.id == PropertyId::kAuthenticationData;
    require(is_binary || (is_valid_utf8(item.text) && is_valid_utf8(item.text2)), "text is UTF-8");
  }
  require(walked == properties.raw.size(), "the walk goes over the whole list");
  for (unsigned id = 0; id < 64; ++id) {
    const auto property = static_cast<PropertyId>(id);
    require(properties.has(property) == seen.has(property), "the walk finds what the set has");
  }
}

void check_encoded_again(const Properties& properties, PropertyContext context) {
  ByteBuffer encoded;
  append_properties(encoded, properties);
  ByteBuffer list;
  append_varint(list, static_cast<std::uint32_t>(encoded.size()));
  list.append(encoded.view());
  ByteView in = list.view();
  const auto again = read_properties(in, context);
  require(again.has_value() && in.empty(), "an encoded list is valid");
  require(to_text(*again) == to_text(properties), "a list stays the same when it is encoded and read");
  require(as_text(again->raw) == as_text(properties.raw), "a list has one encoding");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const auto context = static_cast<PropertyContext>(input.choice(kContextCount));
  ByteView in = input.rest();
  // The walk does not crash on bytes that nobody validated either.
  PropertyItem item;
  for (PropertyWalk walk{in}; walk.next(item);) require(!item.encoded.empty(), "an item has bytes");

  const auto properties = read_properties(in, context);
  if (!properties) {
    require(properties.error().code >= ReasonCode::kUnspecifiedError, "a violation has the code of an error");
    require(in.size() == input.rest().size(), "a refused list is not taken");
    return 0;
  }
  require(in.size() < input.rest().size(), "an accepted list is taken");
  check_walk(*properties);
  check_encoded_again(*properties, context);
  return 0;
}
