CREATE TABLE `tabNote Archive` (`name` varchar(140) PRIMARY KEY, `content` longtext);
INSERT INTO `tabNote Archive` SELECT `name`, `title` FROM `tabNote`;
ALTER TABLE `tabNote` ADD COLUMN `archived` int(1) NOT NULL DEFAULT 0, DROP COLUMN `public`;
UPDATE `tabRole` SET `disabled` = 1;
DROP VIEW `standin_enabled_users`;
SELECT `no_such_column` FROM `tabNote`;
