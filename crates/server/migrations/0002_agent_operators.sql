-- The people who operate an agent: they do not decide about what it proposes (AG-706 4.2).
CREATE TABLE agent_operator (
    agent    TEXT NOT NULL REFERENCES agent (id),
    approver TEXT NOT NULL,
    PRIMARY KEY (agent, approver)
) STRICT;
