#include "net/protocol_choice.h"

#include <string_view>

namespace nightjar::net {
namespace {

struct Beginning {
  std::string_view text;
  FirstBytes means;
};
constexpr Beginning kBeginnings[] = {
    {"\x10", FirstBytes::kMqtt},  {"\x16\x03", FirstBytes::kTls},   {"GET ", FirstBytes::kHttp},
    {"PROX", FirstBytes::kProxy}, {"\r\n\r\n", FirstBytes::kProxy},
};

}  // namespace

FirstBytes recognize(ByteView first) {
  const std::string_view text = as_text(first);
  bool may_become = text.empty();
  for (const Beginning& beginning : kBeginnings) {
    if (text.starts_with(beginning.text)) return beginning.means;
    may_become = may_become || beginning.text.starts_with(text);
  }
  return may_become ? FirstBytes::kNeedMore : FirstBytes::kOther;
}

}  // namespace nightjar::net
