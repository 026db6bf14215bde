#include "broker/session/publish_will.h"

#include <memory>
#include <string>

#include "base/log.h"
#include "broker/message_source.h"
#include "broker/routing/router.h"
#include "broker/worker_state.h"

namespace nightjar::broker {

void publish_will(WorkerState& worker, Session& session) {
  const std::unique_ptr<Will> will = std::move(session.will);
  session.will_due = kNever;
  const ClientIdentity who{session.client_id, session.user_name, session.policy->name};
  if (!worker.node.ports().authorizer.may_publish(who, will->topic, will->qos, will->retain)) {
    log::warn("will not published: its topic is denied to the client",
              {{"client", session.client_id}, {"topic", will->topic}});
    return;
  }
  std::string source;
  if (will->retain && worker.node.policy().checks_retained_source) write_source(who, source);
  MessageRef message =
      Message::make({.topic = will->topic,
                     .payload = as_bytes(will->payload),
                     .properties = as_bytes(will->properties),
                     .qos = will->qos,
                     .retain = will->retain,
                     .expires = will->has_expiry ? worker.now + Duration::seconds(will->expiry_s) : kNever,
                     .origin = session.client_id_hash,
                     .source = source});
  const bool is_retained = will->retain && worker.node.retained().store(message);
  if (is_retained) worker.journal.retained_changed(will->topic, true);
  if (will->retain && !is_retained) {
    log::warn("will not retained: the limit of retained messages is reached",
              {{"client", session.client_id}, {"topic", will->topic}});
  }
  ++worker.counters.wills_published;
  route(worker, message);
}

}  // namespace nightjar::broker
