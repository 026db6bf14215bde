#include "auth/anonymous_auth.h"

namespace nightjar::auth {
namespace {

using broker::AuthVerdict;

AuthVerdict judge(const broker::AuthRequest& request) {
  if (request.listener_allows_anonymous) return {.kind = AuthVerdict::Kind::kAllow};
  if (request.has_user_name || request.has_password) {
    return {.kind = AuthVerdict::Kind::kRefuse,
            .code = mqtt::ReasonCode::kBadUserNameOrPassword,
            .reason = "no users are configured"};
  }
  return {.kind = AuthVerdict::Kind::kRefuse,
          .code = mqtt::ReasonCode::kNotAuthorized,
          .reason = "this listener does not allow anonymous clients"};
}

class AnonymousExchange final : public broker::AuthExchange {
 public:
  void start(const broker::AuthRequest& request, Done done) override { done(judge(request)); }
  // Never asked for more, so whatever comes is out of place.
  void proceed(ByteView, Done done) override {
    done({.kind = AuthVerdict::Kind::kRefuse,
          .code = mqtt::ReasonCode::kProtocolError,
          .reason = "unexpected AUTH"});
  }
};

}  // namespace

std::unique_ptr<broker::AuthExchange> AnonymousAuth::open(std::string_view method) {
  if (!method.empty()) return nullptr;
  return std::make_unique<AnonymousExchange>();
}

}  // namespace nightjar::auth
