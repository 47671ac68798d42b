%% What the service must refuse, each error as the client gives it.
-module(refusals).

-export([report_all/3]).

-define(UNKNOWN_SNAPSHOT, <<"snap-0ffffffffffffffff">>).

report_all(Client, Parent, Long) ->
    Token = <<"taken-in-erlang">>,
    {ok, #{<<"SnapshotId">> := Pending}} = start(Client, 1, Token),
    Block = cycle:block_of(cycle:contents(1)),
    Other = cycle:checksum(cycle:contents(99)),
    Put = fun(Id, Index, Input) -> ebs:put_snapshot_block(Client, Index, Id, Input) end,
    List = fun(Id, Query) -> ebs:list_snapshot_blocks(Client, Id, Query, #{}) end,
    Compared = ebs:list_changed_blocks(Client, Long, #{"firstSnapshotId" => Parent}, #{}),
    WrongKey = Client#{secret := "wrong"},
    Refusals = [
        {<<"unknown snapshot">>, List(?UNKNOWN_SNAPSHOT, #{})},
        {<<"wrong checksum">>, Put(Pending, 0, Block#{<<"Checksum">> := Other})},
        {<<"wrong length">>, Put(Pending, 0, Block#{<<"DataLength">> := 1})},
        {<<"index beyond">>, Put(Pending, 2048, Block)},
        {<<"completed snapshot">>, Put(Parent, 0, Block)},
        {<<"bad block token">>, ebs:get_snapshot_block(Client, 0, Parent, <<"bm90">>)},
        {<<"bad page token">>, List(Parent, #{"pageToken" => <<"bm90">>})},
        {<<"unrelated snapshots">>, Compared},
        {<<"conflicting client token">>, start(Client, 2, Token)},
        {<<"wrong key">>, ebs:list_snapshot_blocks(WrongKey, Parent, #{}, #{})}
    ],
    [cycle:report(<<"refusal">>, tell(Name, Refused)) || {Name, Refused} <- Refusals].

start(Client, VolumeSize, Token) ->
    ebs:start_snapshot(Client, #{<<"VolumeSize">> => VolumeSize, <<"ClientToken">> => Token}).

tell(Name, {error, #{<<"__type">> := Type} = Error}) ->
    Reason = maps:get(<<"Reason">>, Error, null),
    #{
        <<"name">> => Name,
        <<"code">> => list_to_binary(Type),
        <<"message">> => maps:get(<<"Message">>, Error, maps:get(<<"message">>, Error, null)),
        <<"reason">> => case Reason of null -> <<>>; _ -> Reason end
    }.
